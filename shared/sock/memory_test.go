package sock_test

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"srvctl/shared/sock"
)

// rawMemfd makes memory with some seals, as a peer that is not us might.
func rawMemfd(t *testing.T, size int64, seals int) int {
	t.Helper()
	fd, err := unix.MemfdCreate("raw", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Ftruncate(fd, size); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		t.Fatal(err)
	}
	return fd
}

const (
	shrink, grow = unix.F_SEAL_SHRINK, unix.F_SEAL_GROW
	all          = shrink | grow | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL
)

func TestSharedMemoryIsOne(t *testing.T) {
	fd, mem, err := sock.Memfd("test", 10000)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	defer sock.Unmap(mem)
	if len(mem) != 10000 || !bytes.Equal(mem, make([]byte, 10000)) {
		t.Errorf("%d bytes, want 10000 zeroes", len(mem))
	}
	other, err := sock.Map(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Unmap(other)
	other[9999] = 7
	if mem[9999] != 7 {
		t.Error("a second mapping is other memory")
	}
	if err := unix.Ftruncate(fd, 1); err == nil {
		t.Error("the memory could be shrunk")
	}
	if err := unix.Ftruncate(fd, 20000); err == nil {
		t.Error("the memory could grow")
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_WRITE); err == nil {
		t.Error("a peer could seal the memory against writing")
	}
	if f, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); f&unix.FD_CLOEXEC == 0 {
		t.Error("the descriptor is not CLOEXEC")
	}
}

func TestMemfdRefusesSizes(t *testing.T) {
	for _, size := range []int{-1, 0, sock.MaxMemory + 1} {
		if _, _, err := sock.Memfd("test", size); !errors.Is(err, sock.ErrSize) {
			t.Errorf("Memfd of %d bytes: %v, want ErrSize", size, err)
		}
	}
}

func TestSealedMemoryKeepsItsContent(t *testing.T) {
	for _, data := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte("configuration"), 100000)} {
		fd, err := sock.Sealed("test", data)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if _, err := unix.Pwrite(fd, []byte("y"), 0); err == nil {
			t.Error("sealed memory could be written")
		}
		if err := unix.Ftruncate(fd, 5); err == nil && len(data) != 5 {
			t.Error("sealed memory could be resized")
		}
		for range 2 { // reading moves no offset that the sharers would see
			got, err := sock.ReadSealed(fd)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("ReadSealed = %d bytes, %v; want the %d bytes", len(got), err, len(data))
			}
		}
	}
}

func TestReadSealedRefuses(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, c := range []struct {
		name string
		fd   int
		want error
	}{
		{"an unsealed memfd", rawMemfd(t, 10, 0), sock.ErrUnsealed},
		{"one that can shrink", rawMemfd(t, 10, all&^shrink), sock.ErrUnsealed},
		{"one that can grow", rawMemfd(t, 10, all&^grow), sock.ErrUnsealed},
		{"one that can be written", rawMemfd(t, 10, all&^unix.F_SEAL_WRITE), sock.ErrUnsealed},
		{"one that can get more seals", rawMemfd(t, 10, all&^unix.F_SEAL_SEAL), sock.ErrUnsealed},
		{"a file", int(file.Fd()), sock.ErrUnsealed},
		{"no descriptor", -1, unix.EBADF},
		{"a byte too many", rawMemfd(t, sock.MaxMemory+1, all), sock.ErrSize},
	} {
		if data, err := sock.ReadSealed(c.fd); !errors.Is(err, c.want) || data != nil {
			t.Errorf("%s: %d bytes, error %v, want %v", c.name, len(data), err, c.want)
		}
	}
}

func TestMapRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		fd   int
		want error
	}{
		{"an unsealed memfd", rawMemfd(t, 10, 0), sock.ErrUnsealed},
		{"one that can shrink", rawMemfd(t, 10, grow), sock.ErrUnsealed},
		{"an empty one", rawMemfd(t, 0, shrink|grow), sock.ErrSize},
		{"a byte too many", rawMemfd(t, sock.MaxMemory+1, shrink|grow), sock.ErrSize},
		{"one that nobody may write", rawMemfd(t, 10, all), unix.EPERM},
	} {
		if mem, err := sock.Map(c.fd); !errors.Is(err, c.want) || mem != nil {
			t.Errorf("%s: %d bytes, error %v, want %v", c.name, len(mem), err, c.want)
		}
	}
}
