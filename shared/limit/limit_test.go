package limit_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"srvctl/shared/limit"
	"srvctl/shared/sock"
)

// memory returns what the master makes and every worker maps.
func memory(t testing.TB) (*os.File, []byte) {
	t.Helper()
	fd, mem, err := sock.Memfd("limit-test", limit.Size())
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "memfd")
	t.Cleanup(func() {
		f.Close()
		sock.Unmap(mem)
	})
	return f, mem
}

func TestCellsAreCacheLines(t *testing.T) {
	if got, want := limit.Size(), 64*(limit.MaxProcesses+1); got != want {
		t.Errorf("Size() = %d, want %d", got, want)
	}
	_, mem := memory(t)
	h := limit.Open(mem)
	for p := range limit.MaxProcesses {
		h.Add(p, int64(p)+1)
		if at := 64 * (p + 1); mem[at]|mem[at+1] == 0 {
			t.Fatalf("process %d does not count at offset %d", p, at)
		}
	}
}

func TestConnectionsIsTheSumOfAllProcesses(t *testing.T) {
	_, mem := memory(t)
	h := limit.Open(mem)
	if got := h.Connections(); got != 0 {
		t.Errorf("fresh memory counts %d connections, want 0", got)
	}
	h.Add(0, 5)
	h.Add(limit.MaxProcesses-1, 7)
	h.Add(3, 2)
	h.Add(3, -1)
	if got := h.Connections(); got != 13 {
		t.Errorf("Connections() = %d, want 13", got)
	}
	if got := h.Process(3); got != 1 {
		t.Errorf("Process(3) = %d, want 1", got)
	}
	h.Clear(limit.MaxProcesses - 1)
	if got := h.Connections(); got != 6 {
		t.Errorf("Connections() = %d after the last process was cleared, want 6", got)
	}
	if got := limit.Open(mem).Connections(); got != 6 {
		t.Errorf("a second view counts %d, want 6", got)
	}
}

func TestAcquireStopsAtTheLimit(t *testing.T) {
	_, mem := memory(t)
	h := limit.Open(mem)
	h.Add(1, 8)
	for i, want := range []bool{true, true, false, false} {
		if got := h.Acquire(0, 10); got != want {
			t.Errorf("acquire %d of 10 with 8 taken = %t, want %t", i+1, got, want)
		}
	}
	h.Add(1, -1)
	if !h.Acquire(0, 10) {
		t.Error("acquire after one was given back = false, want true")
	}
	if h.Acquire(2, 0) {
		t.Error("acquire with limit 0 = true, want false")
	}
	if got := h.Connections(); got != 10 {
		t.Errorf("Connections() = %d, want 10: a refusal must not count", got)
	}
}

// Under -race this is also the proof that every access is atomic.
func TestAcquireFromManyProcessesNeverPassesTheLimit(t *testing.T) {
	const processes, most = 8, 100
	for range 20 {
		_, mem := memory(t)
		var wg sync.WaitGroup
		held := make([]int, processes)
		for p := range processes {
			wg.Go(func() { held[p] = grab(limit.Open(mem), p, most) })
		}
		wg.Wait()
		sum := 0
		for _, n := range held {
			sum += n
		}
		h := limit.Open(mem)
		if sum > most || int64(sum) != h.Connections() {
			t.Fatalf("%d processes hold %d connections, the table says %d, the limit is %d", processes, sum, h.Connections(), most)
		}
		if got := sum + grab(h, 0, most); got != most {
			t.Fatalf("alone, one process fills up to %d, want %d", got, most)
		}
	}
}

// grab acquires and gives back, and in the end holds what it can get.
func grab(h *limit.Host, process int, most int64) (held int) {
	for range 2 * most {
		if h.Acquire(process, most) {
			held++
		}
		if held > 10 {
			h.Add(process, -10)
			held -= 10
		}
	}
	for refused := 0; refused < 3; {
		if h.Acquire(process, most) {
			held++
		} else {
			refused++
		}
	}
	return held
}

const childEnv = "LIMIT_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child()
	}
	os.Exit(m.Run())
}

const childProcess, childHolds, hostMost = 5, 40, 1000

// child is another worker: it counts 40, says so, competes for the rest when
// told to, says what it holds, and dies without giving anything back.
func child() {
	mem, err := sock.Map(3)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	h := limit.Open(mem)
	h.Add(childProcess, childHolds)
	fmt.Println("counted")
	io.ReadFull(os.Stdin, make([]byte, 1))
	fmt.Println(childHolds + grab(h, childProcess, hostMost))
	os.Exit(0)
}

func TestTwoProcessesShareTheCount(t *testing.T) {
	f, mem := memory(t)
	h := limit.Open(mem)
	h.Add(0, 2)

	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.ExtraFiles = []*os.File{f}
	cmd.Stderr = os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil || err1 != nil || err2 != nil {
		t.Fatal(err, err1, err2)
	}
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); line != "counted\n" {
		t.Fatalf("child says %q (%v), want counted", line, err)
	}
	if got := h.Connections(); got != 2+childHolds {
		t.Errorf("Connections() = %d with 2 here and %d in the child", got, childHolds)
	}

	in.Write([]byte("x"))
	ours := 2 + grab(h, 0, hostMost)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var theirs int
	fmt.Sscan(strings.TrimSpace(line), &theirs)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := h.Connections(); got != int64(ours+theirs) || got > hostMost {
		t.Errorf("Connections() = %d, %d here and %d in the child, limit %d", got, ours, theirs, hostMost)
	}
	h.Clear(childProcess)
	if got := h.Connections(); got != int64(ours) {
		t.Errorf("Connections() = %d after the dead child was cleared, want %d", got, ours)
	}
}

func TestOpenRefusesUnusableMemory(t *testing.T) {
	mem := make([]byte, limit.Size()+128)
	off := 64 - int(uintptr(unsafe.Pointer(unsafe.SliceData(mem)))%64)
	for name, m := range map[string][]byte{
		"too small":   mem[off : off+limit.Size()-1],
		"not aligned": mem[off+8:],
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Open took memory that is %s", name)
				}
			}()
			limit.Open(m)
		}()
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	_, mem := memory(t)
	h := limit.Open(mem)
	if n := testing.AllocsPerRun(100, func() {
		h.Add(3, 1)
		h.Acquire(3, 1)
		h.Connections()
		h.Add(3, -1)
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkConnections(b *testing.B) {
	for _, live := range []int{1, 8, limit.MaxProcesses} {
		b.Run(fmt.Sprintf("%dprocesses", live), func(b *testing.B) {
			_, mem := memory(b)
			h := limit.Open(mem)
			h.Add(live-1, 1)
			b.ReportAllocs()
			for b.Loop() {
				h.Connections()
			}
		})
	}
}

func BenchmarkAcquire(b *testing.B) {
	_, mem := memory(b)
	h := limit.Open(mem)
	h.Add(7, 1)
	b.ReportAllocs()
	for b.Loop() {
		h.Acquire(0, 1<<40)
	}
}
