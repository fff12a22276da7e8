package static

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// openedFile is an open file that is sent from its descriptor. It is a
// serve.File. The count of its holders belongs to the loop.
type openedFile struct {
	fd      int
	size    int64
	mtime   int64 // nanoseconds
	holders int
	memory  residency
	// loaded, of a file system that cannot tell, has a bit for each block
	// that Load has read. Load sets them on the pool.
	loaded []atomic.Uint32
	// broken: reading failed. Waiting would not help, so nobody shall.
	broken atomic.Bool
}

// residency is how to know whether a part of a file is in memory.
type residency uint8

const (
	askKernel   residency = iota // RWF_NOWAIT tells
	alwaysThere                  // the file system is memory
	onceLoaded                   // nobody knows: what was read is taken to be there
)

// loadBlock is how much of a file a bit of loaded stands for.
const loadBlock = 256 << 10

func newFile(fd int, size, mtime int64) *openedFile {
	return &openedFile{fd: fd, size: size, mtime: mtime, holders: 1}
}

// Intact reports whether the file still begins with what it had when it was
// opened. One that grew does: it is taken for a log that is written to, since
// to cut those would make them impossible to fetch. One that was written to
// and did not grow was rewritten in place.
func (f *openedFile) Intact() bool {
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err != nil {
		return false
	}
	return st.Size > f.size || st.Size == f.size && st.Mtim.Nano() == f.mtime
}

// FD is the descriptor.
func (f *openedFile) FD() int { return f.fd }

func (f *openedFile) hold() { f.holders++ }

// Release gives up a hold. The last one closes the file.
func (f *openedFile) Release() {
	if f.holders--; f.holders == 0 {
		closeFD(f.fd)
		f.fd = -1
	}
}

// Resident reports whether a range can be sent without waiting for the disk: it
// looks whether the first and the last byte are there. What lies between was
// read with them, and goes last.
func (f *openedFile) Resident(off, n int64) bool {
	if f.memory == askKernel {
		if f.there(off+n-1) && (n == 1 || f.there(off)) {
			return true
		}
		if f.memory == askKernel {
			return f.broken.Load()
		}
	}
	if f.memory == alwaysThere || f.broken.Load() {
		return true
	}
	for b := off / loadBlock; b <= (off+n-1)/loadBlock && b < f.blocks(); b++ {
		if f.loaded[b/32].Load()&(1<<(b%32)) == 0 {
			return false
		}
	}
	return true
}

func (f *openedFile) blocks() int64 { return (f.size + loadBlock - 1) / loadBlock }

// there reports whether a byte is in memory. It finds out whether that can be
// asked at all.
func (f *openedFile) there(off int64) bool {
	var b [1]byte
	_, err := unix.Preadv2(f.fd, [][]byte{b[:]}, off, unix.RWF_NOWAIT)
	if err != unix.EOPNOTSUPP {
		return err == nil // behind the end too: sending finds out
	}
	f.memory = onceLoaded
	if inMemory(f.fd) {
		f.memory = alwaysThere
	}
	f.makeLoaded()
	return false
}

func (f *openedFile) makeLoaded() {
	f.loaded = make([]atomic.Uint32, (f.blocks()+31)/32)
}

// loadBuffers are what Load reads into: the content is wanted in the kernel's
// memory, not here.
var loadBuffers = sync.Pool{New: func() any { return new([128 << 10]byte) }}

// Load brings a range into memory.
func (f *openedFile) Load(off, n int64) {
	buf := loadBuffers.Get().(*[128 << 10]byte)
	defer loadBuffers.Put(buf)
	end := min((off+n+loadBlock-1)/loadBlock*loadBlock, f.size)
	off = off / loadBlock * loadBlock
	first := off / loadBlock
	for off < end {
		k, err := unix.Pread(f.fd, buf[:min(int64(len(buf)), end-off)], off)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			f.broken.Store(true)
		}
		if err != nil || k == 0 {
			break
		}
		off += int64(k)
	}
	for b := first; f.loaded != nil && b*loadBlock < end; b++ {
		f.loaded[b/32].Or(1 << (b % 32))
	}
}

// forget takes back what is known to have been read: the kernel may have let
// go of it.
func (f *openedFile) forget() {
	for i := range f.loaded {
		f.loaded[i].Store(0)
	}
}
