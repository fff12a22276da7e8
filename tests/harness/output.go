package harness

import (
	"regexp"
	"strings"
	"sync"
	"time"
)

// output keeps what a process writes and tells who waits for it.
type output struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{} // closed by the next Write; nil when nobody waits
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more != nil {
		close(o.more)
		o.more = nil
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) length() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Len()
}

// await returns true when the text has come after the first from bytes, false
// when the time is over or the writer has gone without it.
func (o *output) await(from int, text *regexp.Regexp, limit time.Duration, gone <-chan struct{}) bool {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	for {
		o.mu.Lock()
		have := text.MatchString(o.text.String()[from:])
		if o.more == nil {
			o.more = make(chan struct{})
		}
		more := o.more
		o.mu.Unlock()
		if have {
			return true
		}
		select {
		case <-more:
		case <-gone:
			return text.MatchString(o.String()[from:])
		case <-deadline.C:
			return false
		}
	}
}
