package chaos

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"srvctl/tests/harness"
)

// page is a metrics page: series and value.
type page map[string]float64

var pages = &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}

func readPage(url string) (page, error) {
	resp, err := pages.Get(url)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		return nil, fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	p := page{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		series, value, found := cutLast(lines.Text())
		if !found || series[0] == '#' {
			continue
		}
		if p[series], err = strconv.ParseFloat(value, 64); err != nil {
			return nil, fmt.Errorf("GET %s: %q: %w", url, lines.Text(), err)
		}
	}
	return p, lines.Err()
}

func cutLast(line string) (series, value string, found bool) {
	at := strings.LastIndexByte(line, ' ')
	if at <= 0 {
		return "", "", false
	}
	return line[:at], line[at+1:], true
}

// sum adds the series of a name.
func (p page) sum(name string) (sum float64) {
	for series, v := range p {
		if series == name || strings.HasPrefix(series, name+"{") {
			sum += v
		}
	}
	return sum
}

// shrunk returns the counters that are smaller than before, or gone.
func (p page) shrunk(before page) (list []string) {
	for series, was := range before {
		name, _, _ := strings.Cut(series, "{")
		if now, there := p[series]; isCounter(name) && (!there || now < was) {
			list = append(list, fmt.Sprintf("%s %v -> %v", series, was, now))
		}
	}
	return list
}

func isCounter(name string) bool {
	for _, end := range []string{"_total", "_count", "_sum", "_bucket"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

// watch reads the metrics all the time and wants that no counter shrinks while
// one master lives.
type watch struct {
	t     *testing.T
	url   string
	done  chan struct{}
	ended sync.WaitGroup

	mu     sync.Mutex
	last   page // nil: no master whose page could be compared with
	paused bool
}

func startWatch(t *testing.T, s *harness.Server) *watch {
	w := &watch{t: t, url: s.URL("admin", "/metrics"), done: make(chan struct{})}
	w.ended.Go(w.run)
	t.Cleanup(w.stop)
	return w
}

func (w *watch) run() {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-w.done:
			return
		case <-tick.C:
			w.look()
		}
	}
}

func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.paused {
		return
	}
	now, err := readPage(w.url)
	if err != nil {
		w.t.Errorf("metrics: %v", err)
		return
	}
	if list := now.shrunk(w.last); list != nil {
		w.t.Errorf("counters went back: %v", list)
	}
	w.last = now
}

// without does something during which the master may be away or another one.
func (w *watch) without(f func()) {
	w.mu.Lock()
	w.paused, w.last = true, nil
	w.mu.Unlock()
	f()
	w.mu.Lock()
	w.paused = false
	w.mu.Unlock()
}

func (w *watch) stop() {
	select {
	case <-w.done:
	default:
		close(w.done)
	}
	w.ended.Wait()
}
