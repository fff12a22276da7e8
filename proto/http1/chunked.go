package http1

// Bounds on the framing of a chunked body.
const (
	// All that 64 bits need, zeros in front included.
	maxChunkDigits = 16

	// maxChunkExt bounds the extension of one chunk. The longest in use, the
	// signature of Amazon's aws-chunked, has 81 bytes.
	maxChunkExt = 256

	// A sender may stream byte by byte: five bytes of framing for one of data,
	// "1" CRLF data CRLF. It may not send framing without end for next to no
	// data, which costs it little and us a scan. So each chunk earns what a
	// decent sender needs, chunkAllowance and twice its data, and framing
	// beyond what was earned adds up to maxChunkExcess at most. net/http bounds
	// it the same way.
	chunkAllowance = 16
	maxChunkExcess = 16 << 10

	// Trailers are digests and signatures: a few short lines.
	maxTrailerBytes = 4 << 10
	maxTrailerCount = 32
)

// chunkState is what Chunked expects next.
type chunkState uint8

const (
	chunkSize     chunkState = iota // digits of the size -> chunkExt at ';', chunkSizeLF at CR
	chunkExt                        // the extension -> chunkSizeLF at CR
	chunkSizeLF                     // LF -> chunkData, or trailerStart behind the last chunk
	chunkData                       // the data -> chunkDataCR behind its last byte
	chunkDataCR                     // CR -> chunkDataLF
	chunkDataLF                     // LF -> chunkSize
	trailerStart                    // a trailer -> trailerName, or CR -> trailerEndLF
	trailerName                     // in its name -> trailerValue behind the colon
	trailerNameLF                   // LF behind a CR in a name: refused in any case
	trailerValue                    // in its value -> trailerLF at CR
	trailerLF                       // LF -> trailerStart
	trailerEndLF                    // LF -> chunkDone
	chunkDone                       // the body has ended
	chunkRefused                    // and stays so until Reset
)

// Chunked takes the framing off a chunked body (RFC 9112 section 7.1). The
// zero value is ready for use.
//
//	1a;name=value\r\n      chunkSize, chunkExt, chunkSizeLF
//	data \r\n              chunkData, chunkDataCR, chunkDataLF
//	0\r\n                  chunkSize ...
//	Name: value\r\n        trailerStart, trailerName, trailerValue, trailerLF
//	\r\n                   trailerStart, trailerEndLF
type Chunked struct {
	// KeepTrailers, set before the first Decode, gathers the trailer lines in
	// Trailers, each with its CRLF, as AppendLastChunk takes them. Otherwise
	// they are checked and dropped.
	KeepTrailers bool
	Trailers     []byte

	state   chunkState
	refused Reason
	digits  uint8  // of the size at hand
	count   uint8  // trailers begun
	ext     uint16 // bytes of the extension at hand
	trailer uint16 // bytes of all trailers
	excess  int32  // framing beyond what the data has earned
	left    int64  // size of the chunk at hand, then what is left of it
	nameLen uint8  // of the trailer name at hand, at most len(name)+1
	name    [maxForbidden]byte
}

// Reset makes d ready for another body. It keeps KeepTrailers and the array of
// Trailers.
func (d *Chunked) Reset() {
	*d = Chunked{KeepTrailers: d.KeepTrailers, Trailers: d.Trailers[:0]}
}

// Decode takes framing off p: data is the next run of body bytes, a part of p
// and maybe empty, n the bytes of p used up, data included. done is set when
// the last chunk and the trailers have been read; p[n:] is not part of the body.
// r != OK refuses p[n]. A call after done or a refusal gives the same answer and
// uses up nothing.
//
// Not done and n == len(p): more bytes are needed. Not done and n < len(p):
// call again with p[n:].
func (d *Chunked) Decode(p []byte) (data []byte, n int, done bool, r Reason) {
	i := 0
	for i < len(p) && d.state != chunkData {
		if d.state >= chunkDone {
			break
		}
		if i, r = d.frame(p, i); r != OK {
			d.state, d.refused = chunkRefused, r
			return nil, i, false, r
		}
	}
	switch d.state {
	case chunkDone:
		return nil, i, true, OK
	case chunkRefused:
		return nil, 0, false, d.refused
	case chunkData:
		n = len(p) - i
		if int64(n) >= d.left {
			n = int(d.left)
			d.state = chunkDataCR
		}
		d.left -= int64(n)
		return p[i : i+n], i + n, false, OK
	}
	return nil, i, false, OK
}

// frame takes one byte of framing, or a run of them, and returns the index of
// the next.
func (d *Chunked) frame(p []byte, i int) (int, Reason) {
	c := p[i]
	switch d.state {
	case chunkSize:
		return d.sizeByte(c, i)
	case chunkExt:
		return d.extension(p, i)
	case chunkSizeLF:
		if c != '\n' {
			return i, BareCR
		}
		return d.sizeEnd(i)
	case chunkDataCR:
		if c != '\r' {
			if c == '\n' {
				return i, BareLF
			}
			return i, BadChunkEnd
		}
		d.state = chunkDataLF
	case chunkDataLF:
		if c != '\n' {
			return i, BareCR
		}
		d.left, d.digits, d.ext = 0, 0, 0
		d.state = chunkSize
	default:
		return d.trailerByte(c, i)
	}
	return i + 1, OK
}

// sizeByte takes a byte of a chunk's size: "chunk-size = 1*HEXDIG". No sign,
// no "0x", no white space: each was a way to make two parsers disagree.
func (d *Chunked) sizeByte(c byte, i int) (int, Reason) {
	switch {
	case class[c]&hexDigit != 0:
		if d.digits == maxChunkDigits {
			return i, BadChunkSize
		}
		if d.left > (1<<63-1)>>4 {
			return i, ChunkTooLarge
		}
		d.left = d.left<<4 | int64(hexValue(c))
		d.digits++
	case c == '\n':
		return i, BareLF
	case d.digits == 0:
		return i, BadChunkSize
	case c == '\r':
		d.state = chunkSizeLF
	case c == ';':
		d.state = chunkExt
	default:
		return i, BadChunkSize
	}
	return i + 1, OK
}

// extension takes what p has of a chunk extension. Its content is of no use
// here, only its end matters: no CR or LF but the CRLF.
func (d *Chunked) extension(p []byte, i int) (int, Reason) {
	b := p[:min(len(p), i+maxChunkExt-int(d.ext))]
	j := scanValue(b, i)
	d.ext += uint16(j - i)
	switch {
	case j == len(p):
		return j, OK
	case p[j] == '\r':
		d.state = chunkSizeLF
		return j + 1, OK
	case p[j] == '\n':
		return j, BareLF
	case j == len(b):
		return j, ChunkExtTooLong
	}
	return j, BadChunkByte
}

// sizeEnd ends the line of a chunk's size at its LF, p[i].
func (d *Chunked) sizeEnd(i int) (int, Reason) {
	// Its digits, ';' and extension, CRLF, and the CRLF behind the data.
	d.excess += int32(d.digits) + int32(d.ext) + 1 + 4
	d.excess -= int32(chunkAllowance + 2*min(d.left, maxChunkExcess))
	d.excess = max(d.excess, 0)
	if d.excess > maxChunkExcess {
		return i, ChunkOverhead
	}
	d.state = chunkData
	if d.left == 0 {
		d.state = trailerStart
	}
	return i + 1, OK
}
