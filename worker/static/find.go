package static

import (
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// fileID tells one state of a file from another.
type fileID struct {
	dev, ino     uint64
	size         int64
	mtime, ctime int64 // nanoseconds
}

func idOf(st *unix.Stat_t) fileID {
	return fileID{st.Dev, st.Ino, st.Size, st.Mtim.Nano(), st.Ctim.Nano()}
}

// query asks what a name beneath a root leads to. It is a value, so that it can
// be answered on the pool.
type query struct {
	root    *root
	path    string // of the root when it is to be looked at anew, or ""
	name    string // beneath the root; a folder's index when it is "" or ends with a slash
	index   []string
	hot     int64  // up to this size the content is read
	known   fileID // content of this state is not read again
	checked int64  // when the root was or is looked at
}

// answer is what was found.
type answer struct {
	status int // 0 for a file; otherwise 301, 403, 404 or why not
	err    error
	root   *root // when the path of the root leads to another folder now

	fd     int // of the file, open
	name   string
	id     fileID
	body   []byte // the content; nil when it was not read
	same   bool   // it is what was known
	racy   bool   // changed so recently that a further change might not show
	young  bool   // its time of modification may be that of two states
	moving bool   // changed all the time while it was read
}

// exhausted reports whether there were no descriptors.
func (a *answer) exhausted() bool { return a.err == unix.EMFILE || a.err == unix.ENFILE }

// find answers q. Without wait it does not wait for the disk, but reports that
// it would have to; then there is no answer. buf may be used for the content.
func (q *query) find(wait bool, buf []byte) (a answer, again bool) {
	r := q.root
	if q.path != "" {
		// When the path leads nowhere for the moment the old folder goes on.
		now, err := openRoot(q.path, r.mode, wait)
		switch {
		case err == unix.EAGAIN && !wait:
			return a, true
		case err == nil && now.same(r):
			now.release()
		case err == nil:
			r, a.root = now, now
		}
	}
	fd, st, err := q.open(r, &a, wait)
	if err == nil && a.status == 0 {
		a.fd = fd
		a.id = idOf(&st)
		if a.same = a.id == q.known; !a.same && a.id.size <= q.hot {
			err = a.read(wait, buf)
		}
		a.racy, a.young = isFresh(a.id.ctime), isFresh(a.id.mtime)
	}
	if err == unix.EAGAIN && !wait {
		a.drop()
		return answer{}, true
	}
	if err != nil {
		closeFD(a.fd)
		a.fd, a.status, a.err = -1, statusOf(err), err
	}
	return a, false
}

// drop gives up what an answer holds that nobody will see.
func (a *answer) drop() {
	closeFD(a.fd)
	if a.root != nil {
		a.root.release()
	}
}

// open opens the file that is asked for. It sets a.status when what is there
// is none, and a.name.
func (q *query) open(r *root, a *answer, wait bool) (fd int, st unix.Stat_t, err error) {
	a.fd = -1
	if q.name != "" && !strings.HasSuffix(q.name, "/") {
		a.name = q.name
		fd, st, err = openFile(r, q.name, wait)
		if err == errFolder {
			a.status, err = 301, nil
		}
		return fd, st, err
	}
	for _, index := range q.index {
		a.name = q.name + index
		fd, st, err = openFile(r, a.name, wait)
		if err != unix.ENOENT && err != errFolder {
			return fd, st, err
		}
	}
	// Without an index there is nothing to send, but it makes a difference
	// whether there is a folder.
	fd, err = r.open(q.name, unix.O_PATH|unix.O_DIRECTORY, wait)
	if err == nil {
		closeFD(fd)
		a.status = 403
	}
	return -1, st, err
}

// errFolder stands for a folder where a file was asked for.
const errFolder = unix.EISDIR

// openFile opens a regular file.
func openFile(r *root, name string, wait bool) (fd int, st unix.Stat_t, err error) {
	// O_NONBLOCK: a FIFO must not make the open wait for its writer.
	fd, err = r.open(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, wait)
	if err != nil {
		return -1, st, err
	}
	if err = fstat(fd, &st); err == nil {
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			return fd, st, nil
		case unix.S_IFDIR:
			err = errFolder
		default:
			err = unix.ENODEV
		}
	}
	closeFD(fd)
	return -1, st, err
}

// fresh is how long after a change a further one may leave no trace: the clock
// of file times stands still between the kernel's ticks, and on some file
// systems for up to two seconds.
const fresh = 2 * time.Second

func isFresh(ns int64) bool { return time.Since(time.Unix(0, ns)) < fresh }

// rereads is how often a file that changes while it is read is read again.
const rereads = 3

// read reads the content. A file that does not hold still is left to be sent
// from its descriptor.
func (a *answer) read(wait bool, buf []byte) error {
	hot := int64(len(buf))
	if wait {
		hot = a.id.size
		buf = make([]byte, hot)
	}
	for range rereads {
		if a.id.size > hot {
			break
		}
		before := a.id
		n, err := readAll(a.fd, buf[:a.id.size], wait)
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := fstat(a.fd, &st); err != nil {
			return err
		}
		if a.id = idOf(&st); a.id == before && int64(n) == a.id.size {
			a.body = buf[:n]
			return nil
		}
	}
	a.moving = true
	return nil
}

// readAll fills p from the start of a file, or as much as there is. Without
// wait it fails with EAGAIN where it would have to.
func readAll(fd int, p []byte, wait bool) (n int, err error) {
	for n < len(p) {
		var k int
		if wait {
			k, err = unix.Pread(fd, p[n:], int64(n))
		} else {
			k, err = readNow(fd, p[n:], int64(n))
		}
		switch {
		case err == unix.EINTR:
		case err != nil:
			return n, err
		case k == 0:
			return n, nil
		}
		n += max(k, 0)
	}
	return n, nil
}

// readNow reads what is in memory.
func readNow(fd int, p []byte, off int64) (int, error) {
	n, err := unix.Preadv2(fd, [][]byte{p}, off, unix.RWF_NOWAIT)
	if err != unix.EOPNOTSUPP {
		return n, err
	}
	if !inMemory(fd) {
		return 0, unix.EAGAIN
	}
	return unix.Pread(fd, p, off)
}

// inMemory reports whether a file lies on a file system that is nothing but
// memory. Those need no RWF_NOWAIT, and do not know it.
func inMemory(fd int) bool {
	var st unix.Statfs_t
	if unix.Fstatfs(fd, &st) != nil {
		return false
	}
	return st.Type == unix.TMPFS_MAGIC || st.Type == unix.RAMFS_MAGIC
}
