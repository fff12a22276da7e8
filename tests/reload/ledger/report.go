package ledger

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Row is the account of one form.
type Row struct {
	Form        string
	Connections int
	Sent        int           // numbers of which at least the first byte was written
	Answered    int           // whole and right
	Resent      int           // times that a request was sent again, known to be unprocessed
	Abandoned   int           // requests whose connection the client gave up after a wrong answer
	Raced       int           // requests that met the end of a connection that was silent for long
	Unaccepted  int           // requests on connections that an address that went never accepted
	Announced   int           // ends of connections that the last answer announced
	Unannounced int           // ends of connections that were silent for long
	Silence     time.Duration // the shortest of their silences
	Refusals    int           // connects that were refused while that was allowed
	Faults      [classes]int
	P50, P99    time.Duration // from the last byte of the request to the last of its answer
	Stall       time.Duration // the longest of those, and of the connects
	StallAfter  time.Duration // when that was, since Start
}

func (r *Row) add(o Row) {
	r.Connections += o.Connections
	r.Sent += o.Sent
	r.Answered += o.Answered
	r.Resent += o.Resent
	r.Abandoned += o.Abandoned
	r.Raced += o.Raced
	r.Unaccepted += o.Unaccepted
	r.Announced += o.Announced
	if o.Unannounced > 0 {
		r.ended(o.Silence)
		r.Unannounced += o.Unannounced - 1
	}
	r.Refusals += o.Refusals
	if o.Stall > r.Stall {
		r.Stall, r.StallAfter = o.Stall, o.StallAfter
	}
	for i, n := range o.Faults {
		r.Faults[i] += n
	}
}

// ended counts an end without announcement after some silence.
func (r *Row) ended(silent time.Duration) {
	if r.Unannounced == 0 || silent < r.Silence {
		r.Silence = silent
	}
	r.Unannounced++
}

// Report is the account.
type Report struct {
	Rows   []Row // of the forms that were used
	Total  Row   // without latencies, but for Stall
	Faults []Fault
}

func (l *Ledger) reportLocked() Report {
	rep := Report{Total: Row{Form: "all"}, Faults: slices.Clone(l.faults)}
	for form := range forms {
		row := l.rows[form]
		took := slices.Sorted(slices.Values(l.took[form]))
		if n := len(took); n > 0 {
			row.P50 = time.Duration(took[n/2]) * time.Microsecond
			row.P99 = time.Duration(took[n*99/100]) * time.Microsecond
		}
		rep.Total.add(row)
		if l.o.Connections[form] > 0 {
			rep.Rows = append(rep.Rows, row)
		}
	}
	return rep
}

// String is a table with a line for each form.
func (r Report) String() string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "form\tsent\tanswered\tresent\tlost\tdoubled\tresets\tannounced\tunannounced\tsilence\traced\tunaccepted\trefusals\tp50\tp99\tstall\tat\t")
	for _, w := range append(slices.Clone(r.Rows), r.Total) {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%v\t%d\t%d\t%d\t%v\t%v\t%v\t%.2fs\t\n", w.Form, w.Sent, w.Answered, w.Resent,
			w.Faults[Lost], w.Faults[Doubled], w.Faults[Reset], w.Announced, w.Unannounced, w.Silence.Round(time.Millisecond), w.Raced, w.Unaccepted, w.Refusals,
			w.P50, w.P99, w.Stall.Round(10*time.Microsecond), w.StallAfter.Seconds())
	}
	t.Flush()
	return b.String()
}

// Problems is what a server that loses nothing has none of: each class of
// faults with its number, and the first ones of it in words. Classes that the
// test itself bounds are left out.
func (r Report) Problems(but ...Class) []string {
	var list []string
	for class := range classes {
		if n := r.Total.Faults[class]; n > 0 && !slices.Contains(but, class) {
			list = append(list, fmt.Sprintf("%d %s", n, class))
		}
	}
	for _, f := range r.Faults {
		if !slices.Contains(but, f.Class) {
			list = append(list, f.String())
		}
	}
	for _, w := range r.Rows {
		if w.Answered == 0 {
			list = append(list, w.Form+": no request was answered")
		}
	}
	return list
}
