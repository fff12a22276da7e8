package serve

import "srvctl/proto/http1"

// Kind says where the body of a response comes from.
type Kind uint8

const (
	// Unanswered: the handler has not answered yet.
	Unanswered Kind = iota
	// FromReady: the whole response was rendered beforehand.
	FromReady
	// FromBytes: the body is a slice in memory, perhaps empty.
	FromBytes
	// FromFile: the body is a range of an open file.
	FromFile
	// FromSource: the body is pulled from a Source.
	FromSource
)

// Response is what a handler answered. Handlers use the methods of Exchange;
// the carrier reads the fields.
type Response struct {
	Kind   Kind
	Status int
	// Fields are rendered field lines, each ended by CRLF.
	Fields []byte
	Ready  *Ready
	Body   []byte
	File   File
	// Off and Length are the range of File; Length is also the length of
	// Source, -1 when it is not known beforehand.
	Off, Length int64
	Source      Source
	// Close asks for the connection to be closed after this response.
	Close bool
}

// SetStatus sets the status code for Bytes, SendFile and Stream; 200 otherwise.
func (x *Exchange) SetStatus(code int) { x.Res.Status = code }

// AddField adds a response field. Control characters in value become spaces.
// Framing fields (Content-Length, Transfer-Encoding, Connection, Date) are the
// carrier's and must not be added.
func (x *Exchange) AddField(name, value string) {
	x.Res.Fields = http1.AppendField(x.Res.Fields, name, value)
}

// AddFieldBytes is AddField for a value held as bytes; the value is copied.
func (x *Exchange) AddFieldBytes(name string, value []byte) {
	x.Res.Fields = http1.AppendFieldBytes(x.Res.Fields, name, value)
}

// AddFieldLines adds lines that were rendered beforehand, each ended by CRLF.
func (x *Exchange) AddFieldLines(lines []byte) {
	x.Res.Fields = append(x.Res.Fields, lines...)
}

// Send answers with a response rendered beforehand. Fields added so far are
// sent with it. This is the cheapest answer there is.
func (x *Exchange) Send(r *Ready) {
	if x.answered() {
		return
	}
	x.Res.Kind, x.Res.Ready, x.Res.Status = FromReady, r, r.Status
}

// Bytes answers with a body in memory, which must not change until the
// exchange ends.
func (x *Exchange) Bytes(body []byte) {
	if x.answered() {
		return
	}
	x.Res.Kind, x.Res.Body, x.Res.Length = FromBytes, body, int64(len(body))
}

// SendFile answers with n bytes of f from off on. The exchange releases f when
// it ends, also when the client went away.
func (x *Exchange) SendFile(f File, off, n int64) {
	if x.answered() {
		f.Release()
		return
	}
	x.Res.Kind, x.Res.File, x.Res.Off, x.Res.Length = FromFile, f, off, n
}

// Stream answers with a body pulled from src, which is length bytes long, or
// -1 when that is not known. The exchange closes src when it ends.
func (x *Exchange) Stream(src Source, length int64) {
	if x.answered() {
		src.Close()
		return
	}
	x.Res.Kind, x.Res.Source, x.Res.Length = FromSource, src, length
}

// CloseAfter asks for the connection to be closed after this response.
func (x *Exchange) CloseAfter() { x.Res.Close = true }

// Error answers with the plain page of a status code.
func (x *Exchange) Error(code int) { x.Send(ErrorPage(code)) }

func (x *Exchange) answered() bool { return x.Res.Kind != Unanswered || x.gone }
