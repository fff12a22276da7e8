package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"srvctl/master"
)

// statusLimit is how long a server may take to tell its status.
const statusLimit = 5 * time.Second

func statusVerb() *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: "show the master, its workers, and what is not as it should be",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			client, err := dial(c)
			if err != nil {
				return err
			}
			defer client.Close()
			st, err := askStatus(client)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, st)
			}
			printStatus(c.App.Writer, st)
			return nil
		},
	}
}

func askStatus(client *master.Client) (st master.Status, err error) {
	data, end, err := client.Do(master.Request{Verb: "status"}, statusLimit, nil)
	if err := answered(end, err); err != nil {
		return st, err
	}
	if data == nil {
		return st, errors.New("the server gave no result")
	}
	return st, json.Unmarshal(data, &st)
}

// printStatus writes the status for people.
func printStatus(w io.Writer, st master.Status) {
	ready := "ready"
	if !st.Ready {
		ready = "not ready: " + st.Why
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "srvctl %s\t%s, %s, pid %d, generation %d, up %s\n", st.Version, st.State, ready, st.PID, st.Generation, shortTime(st.UptimeSeconds))
	fmt.Fprintf(t, "config\t%s\n", st.Config)
	fmt.Fprintf(t, "socket\t%s\n", st.Socket)
	if st.Admin != "" {
		fmt.Fprintf(t, "admin\thttp://%s/metrics /healthz /readyz /status\n", st.Admin)
	}
	for _, l := range st.Listeners {
		kind := "one socket per worker"
		if l.Shared {
			kind = "one socket for all workers"
		}
		fmt.Fprintf(t, "listener %s\t%s, %s\n", l.Name, l.Bound, kind)
	}
	fmt.Fprintf(t, "connections\t%d\n", st.Connections)
	printReload(t, st)
	t.Flush()

	fmt.Fprintln(w)
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SLOT\tGENERATION\tPID\tSTATE\tFOR\tCONNECTIONS\tREQUESTS\tMEMORY\tRESTARTS\tLAST EXIT")
	for _, worker := range st.Workers {
		fmt.Fprintln(t, workerRow(worker))
	}
	t.Flush()
	if len(st.Degraded) > 0 {
		fmt.Fprintln(w, "\ndegraded:")
	}
	for _, d := range st.Degraded {
		where := "server"
		if d.Slot >= 0 {
			where = "slot " + strconv.Itoa(d.Slot)
		}
		fmt.Fprintf(w, "  %s: %s\n", where, d.Text)
	}
}

// printReload writes how far a reload is, and how the last one ended.
func printReload(w io.Writer, st master.Status) {
	if r := st.Reload; r != nil {
		fmt.Fprintf(w, "reload\t%s, since %s\n", r.Stage, r.Since)
	}
	if r := st.LastReload; r != nil {
		text := fmt.Sprintf("%s at %s, %dms", r.Result, r.At, r.TookMS)
		if r.Error != "" {
			text += ": " + r.Error
		}
		fmt.Fprintf(w, "last reload\t%s\n", text)
	}
}

func workerRow(s master.WorkerStatus) string {
	pid, exit := "-", "-"
	if s.PID != 0 {
		pid = strconv.Itoa(s.PID)
	}
	if s.LastExit != "" {
		exit = s.LastExit
	}
	return fmt.Sprintf("%d\t%d\t%s\t%s\t%s\t%d\t%d\t%s\t%d\t%s", s.Slot, s.Generation, pid, s.State, shortTime(s.UptimeSeconds),
		s.Connections, s.Requests, mebibytes(s.MemoryBytes), s.Restarts, exit)
}

func shortTime(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	if d < time.Minute {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

func mebibytes(n int64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
