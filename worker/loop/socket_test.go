package loop_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"srvctl/worker/loop"
)

// reset ends a connection the hard way.
func reset(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	c.Close()
}

// numbered is bytes that say where they are.
func numbered(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>12) ^ byte(i)
	}
	return b
}

// All ways to write send the same bytes in order to a reader that is slower
// than the writer, with what the kernel takes at a time.
func TestWrites(t *testing.T) {
	data := numbered(12 << 20)
	path := t.TempDir() + "/data"
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd := int(f.Fd())
	for name, write := range map[string]func(c *link, at int) (int, error){
		"Write":     func(c *link, at int) (int, error) { return c.Write(data[at:]) },
		"WriteMore": func(c *link, at int) (int, error) { return c.WriteMore(data[at:]) },
		"Write2": func(c *link, at int) (int, error) {
			cut := at + (len(data)-at)/3
			return c.Write2(data[at:cut], data[cut:])
		},
		"Write2 of nothing and all": func(c *link, at int) (int, error) { return c.Write2(nil, data[at:]) },
		"Write2 of all and nothing": func(c *link, at int) (int, error) { return c.Write2(data[at:], nil) },
		"SendFile":                  func(c *link, at int) (int, error) { return c.SendFile(fd, int64(at), len(data)-at) },
		"WriteMore, then SendFile": func(c *link, at int) (int, error) {
			if at < 100 {
				return c.WriteMore(data[at:100])
			}
			return c.SendFile(fd, int64(at), min(len(data)-at, 512<<10))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, addr := serve(t)
			client, c := r.dial(addr)
			fullc := make(chan struct{}) // closed when the kernel took no more, or all
			r.on(func() {
				at, full := 0, sync.OnceFunc(func() { close(fullc) })
				c.writable = func(c *link) {
					for at < len(data) {
						n, err := write(c, at)
						at += n
						if err == syscall.EAGAIN {
							full()
							return
						}
						if err != nil || n == 0 {
							t.Errorf("at %d: %d, %v", at, n, err)
							break
						}
					}
					if at == len(data) {
						select {
						case <-fullc:
						default:
							t.Error("it was never blocked: the test shows nothing")
						}
					}
					full()
					c.CloseWrite()
					c.Watch(true, false)
				}
				c.Watch(false, true)
			})
			<-fullc // so that the reader is behind from the start
			got, err := io.ReadAll(client)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("client got %d bytes, %v; want %d, the same", len(got), err, len(data))
			}
		})
	}
}

func TestSendFileAtTheEnd(t *testing.T) {
	r, addr := serve(t)
	_, c := r.dial(addr)
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, _ = f.WriteString("0123456789")
	fd := int(f.Fd())
	r.on(func() {
		if n, err := c.SendFile(fd, 4, 100); n != 6 || err != nil {
			t.Errorf("SendFile(4, 100) of ten bytes = %d, %v; want 6", n, err)
		}
		if n, err := c.SendFile(fd, 10, 100); n != 0 || err != nil {
			t.Errorf("SendFile at the end = %d, %v; want 0", n, err)
		}
		if n, err := c.SendFile(-1, 0, 100); n != 0 || err == nil || err == syscall.EAGAIN {
			t.Errorf("SendFile of no file = %d, %v; want an error", n, err)
		}
	})
}

// To a peer that is gone every way to write answers an error that is not "try
// again", and no signal.
func TestWritesToAPeerThatReset(t *testing.T) {
	r, addr := serve(t)
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, p := int(f.Fd()), numbered(1000)
	for name, write := range map[string]func(c *link) (int, error){
		"Write":     func(c *link) (int, error) { return c.Write(p) },
		"WriteMore": func(c *link) (int, error) { return c.WriteMore(p) },
		"Write2":    func(c *link) (int, error) { return c.Write2(p, p) },
		"SendFile":  func(c *link) (int, error) { return c.SendFile(fd, 0, 1000) },
	} {
		client, c := r.dial(addr)
		gone := make(chan struct{}, 1)
		r.on(func() {
			c.hangup = func(c *link) {
				for range 2 { // the first may tell of the reset, the next of the pipe
					if n, err := write(c); n != 0 || err != syscall.EPIPE && err != syscall.ECONNRESET {
						t.Errorf("%s: %d, %v; want EPIPE or ECONNRESET", name, n, err)
					}
				}
				c.Close()
				gone <- struct{}{}
			}
			c.Watch(false, false)
		})
		reset(client)
		wait(t, gone, "Hangup")
	}
}

func TestRead(t *testing.T) {
	r, addr := serve(t)
	client, c := r.dial(addr)
	var buf [10]byte
	r.on(func() {
		if n, err := c.Read(buf[:]); n != 0 || err != syscall.EAGAIN {
			t.Errorf("Read of nothing = %d, %v; want EAGAIN", n, err)
		}
	})
	ended := make(chan string, 1)
	r.on(func() {
		got := ""
		c.readable = func(c *link) {
			n, err := c.Read(buf[:])
			if got += string(buf[:n]); err == io.EOF {
				c.Close()
				ended <- got
			}
		}
	})
	_, _ = client.Write([]byte("more than the buffer holds"))
	client.Close()
	if got := wait(t, ended, "the end of the stream"); got != "more than the buffer holds" {
		t.Errorf("read %q", got)
	}
}

func TestEndings(t *testing.T) {
	r, addr := serve(t)
	for _, test := range []struct {
		name string
		end  func(c *link)
		want error
	}{
		{"Close", func(c *link) { c.Close() }, io.EOF},
		{"CloseWrite", func(c *link) { c.CloseWrite() }, io.EOF},
		{"Abort", func(c *link) { c.Abort() }, syscall.ECONNRESET},
	} {
		client, c := r.dial(addr)
		r.on(func() { test.end(c) })
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, test.want) {
			t.Errorf("after %s the client reads %v, want %v", test.name, err, test.want)
		}
	}
}

func TestUnsent(t *testing.T) {
	r, addr := serve(t)
	client, c := r.dial(addr)
	p := numbered(1 << 20)
	unsent, sent := 0, 0
	r.on(func() {
		for {
			n, err := c.Write(p)
			if sent += n; err != nil {
				break
			}
		}
		if unsent = c.Unsent(); unsent == 0 || unsent > sent {
			t.Errorf("%d bytes of %d are unsent to a client that reads nothing", unsent, sent)
		}
	})
	if _, err := io.ReadFull(client, make([]byte, sent)); err != nil {
		t.Fatal(err)
	}
	// The last acknowledgement may be on its way.
	for begin := time.Now(); ; {
		r.on(func() { unsent = c.Unsent() })
		if unsent == 0 {
			return
		}
		if time.Since(begin) > patience {
			t.Fatalf("%d bytes are unsent to a client that has read all", unsent)
		}
	}
}

// The calls of the hot path do not allocate.
func TestHotCallsDoNotAllocate(t *testing.T) {
	r, addr := serve(t)
	client, c := r.dial(addr)
	go func() { _, _ = io.Copy(io.Discard, client) }()
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, p := int(f.Fd()), make([]byte, 100)
	r.on(func() {
		at := r.loop.Now()
		for name, call := range map[string]func(){
			"Read":        func() { _, _ = c.Read(p) },
			"Write":       func() { _, _ = c.Write(p[:1]) },
			"Write2":      func() { _, _ = c.Write2(p[:1], p[:1]) },
			"SendFile":    func() { _, _ = c.SendFile(fd, 0, 1) },
			"Watch":       func() { c.Watch(true, true); c.Watch(true, false) },
			"SetDeadline": func() { at += int64(time.Millisecond); c.SetDeadline(at + 1e9) },
			"Unsent":      func() { c.Unsent() },
		} {
			if n := testing.AllocsPerRun(100, call); n != 0 {
				t.Errorf("%s: %v allocations, want 0", name, n)
			}
		}
		c.SetDeadline(0)
	})
}

func TestSocketIsSmall(t *testing.T) {
	if loop.SocketSize > 140 {
		t.Errorf("a connection takes %d bytes here, want 140 at most", loop.SocketSize)
	}
}
