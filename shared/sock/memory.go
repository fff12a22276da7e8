package sock

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// MaxMemory is the largest piece of memory that is taken from a descriptor.
const MaxMemory = 256 << 20

const (
	// sizeSeals keep the size, so that a mapping can never fault.
	sizeSeals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW
	// allSeals keep the content too, also from whoever made it.
	allSeals = sizeSeals | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL
)

// Memfd makes shared memory of a fixed size, zero at first, and maps it. The
// caller owns the descriptor and the mapping; the descriptor may be closed
// while the mapping is used.
func Memfd(name string, size int) (fd int, mem []byte, err error) {
	if size <= 0 || size > MaxMemory {
		return -1, nil, fmt.Errorf("memfd %s: %w: %d bytes", name, ErrSize, size)
	}
	fd, err = memfd(name)
	if err != nil {
		return -1, nil, err
	}
	if err = unix.Ftruncate(fd, int64(size)); err == nil {
		err = seal(fd, sizeSeals|unix.F_SEAL_SEAL)
	}
	if err == nil {
		mem, err = Map(fd)
	}
	if err != nil {
		unix.Close(fd)
		return -1, nil, fmt.Errorf("memfd %s: %w", name, err)
	}
	return fd, mem, nil
}

// Sealed puts data into memory that nobody can change any more, to be sent to
// another process. The caller owns the descriptor.
func Sealed(name string, data []byte) (fd int, err error) {
	if len(data) > MaxMemory {
		return -1, fmt.Errorf("memfd %s: %w: %d bytes", name, ErrSize, len(data))
	}
	fd, err = memfd(name)
	if err != nil {
		return -1, err
	}
	if err = writeAt(fd, data); err == nil {
		err = seal(fd, allSeals)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("memfd %s: %w", name, err)
	}
	return fd, nil
}

// ReadSealed returns a copy of what Sealed put into fd, which stays open. It
// refuses memory that could change under it and sizes above MaxMemory.
func ReadSealed(fd int) ([]byte, error) {
	size, err := sealedSize(fd, allSeals)
	if err != nil {
		return nil, err
	}
	data := make([]byte, size)
	for off := 0; off < size; {
		n, err := unix.Pread(fd, data[off:], int64(off))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return nil, fmt.Errorf("read memfd: %w", err)
		case n == 0:
			return nil, fmt.Errorf("read memfd: %w: ends at %d of %d bytes", ErrSize, off, size)
		}
		off += max(n, 0)
	}
	return data, nil
}

// Map maps memory made by Memfd, shared and writable. It refuses memory whose
// size is not sealed: reading behind its end would kill the process.
func Map(fd int) ([]byte, error) {
	size, err := sealedSize(fd, sizeSeals)
	if err != nil {
		return nil, err
	}
	if size == 0 {
		return nil, fmt.Errorf("map memfd: %w: empty", ErrSize)
	}
	mem, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map memfd: %w", err)
	}
	return mem, nil
}

// Unmap gives up a mapping of Memfd or Map. Touching it afterwards is a fault.
func Unmap(mem []byte) error { return unix.Munmap(mem) }

func memfd(name string) (int, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3
		fd, err = unix.MemfdCreate(name, flags)
	}
	if err != nil {
		return -1, fmt.Errorf("memfd %s: %w", name, err)
	}
	return fd, nil
}

func seal(fd, seals int) error {
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	return nil
}

// sealedSize is the size of memory that has at least these seals.
func sealedSize(fd, seals int) (int, error) {
	got, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil {
		return 0, fmt.Errorf("%w: not a memfd: %w", ErrUnsealed, err)
	}
	if got&seals != seals {
		return 0, fmt.Errorf("%w: seals %#x, want %#x", ErrUnsealed, got, seals)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, fmt.Errorf("stat memfd: %w", err)
	}
	if st.Size < 0 || st.Size > MaxMemory {
		return 0, fmt.Errorf("%w: %d bytes, at most %d", ErrSize, st.Size, MaxMemory)
	}
	return int(st.Size), nil
}

func writeAt(fd int, data []byte) error {
	for off := 0; off < len(data); {
		n, err := unix.Pwrite(fd, data[off:], int64(off))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("write: %w", err)
		}
		off += max(n, 0)
	}
	return nil
}
