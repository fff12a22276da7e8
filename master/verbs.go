package master

import (
	"encoding/json"
	"fmt"
	"time"
)

// verbs are the requests that operators may send.
var verbs = map[string]func(*operators, *operatorConn, Request) error{
	"status": (*operators).status,
	"ready":  (*operators).ready,
	"stop":   (*operators).stop,
	"reload": (*operators).reload,
	"scale":  (*operators).scale,
	"config": (*operators).config,

	"upgrade": (*operators).upgrade,
	"purge":   (*operators).later,
}

func result(v any) (Answer, error) {
	raw, err := json.Marshal(v)
	return Answer{Event: EventResult, Data: raw}, err
}

func (o *operators) status(c *operatorConn, _ Request) error {
	st, ok := o.m.askStatus(statusTime)
	if !ok {
		return c.write(endAnswer(1, "the master does not answer", "see its log"))
	}
	return c.writeResult(st, endAnswer(0, "", ""))
}

func (o *operators) ready(c *operatorConn, _ Request) error {
	r := o.m.public.Load()
	if r == nil {
		r = &readiness{State: phaseStarting.String(), Why: "the server is starting"}
	}
	end := endAnswer(0, "", "")
	if !r.Ready {
		end = endAnswer(1, "not ready: "+r.Why, "see `srvctl status`")
	}
	return c.writeResult(r, end)
}

func (c *operatorConn) writeResult(v any, end Answer) error {
	a, err := result(v)
	if err != nil {
		return c.write(endAnswer(1, err.Error(), ""))
	}
	if err := c.write(a); err != nil {
		return err
	}
	return c.write(end)
}

// stop passes the request to the loop and what comes back to the operator. It
// never returns before the loop has ended.
func (o *operators) stop(c *operatorConn, req Request) error {
	var timeout time.Duration
	if req.Timeout != "" {
		var err error
		if timeout, err = time.ParseDuration(req.Timeout); err != nil || timeout <= 0 {
			return c.write(endAnswer(1, fmt.Sprintf("timeout %q is not a duration", req.Timeout), `write it as "30s"`))
		}
	}
	op := newOperation()
	o.mu.Lock()
	c.waits = true
	o.mu.Unlock()
	o.m.post(stopRequest{why: "srvctl stop", hard: req.Now, timeout: timeout, op: op})
	o.follow(c, op)
	return ErrEnded
}

func (o *operators) reload(c *operatorConn, req Request) error {
	return o.askReload(c, reloadRequest{why: "srvctl reload"}, req.Wait)
}

func (o *operators) scale(c *operatorConn, req Request) error {
	if req.Workers < 1 || req.Workers > maxWorkers {
		return c.write(endAnswer(1, fmt.Sprintf("scale: %d workers: at least 1 and at most %d are possible", req.Workers, maxWorkers), ""))
	}
	return o.askReload(c, reloadRequest{why: fmt.Sprintf("srvctl scale %d", req.Workers), workers: req.Workers}, req.Wait)
}

// askReload passes a request to the loop and what comes back to the operator.
func (o *operators) askReload(c *operatorConn, e reloadRequest, wait bool) error {
	op := newOperation()
	e.asker = &asker{op, wait}
	if !o.m.post(e) {
		return c.write(endAnswer(1, "reload: the server has ended", ""))
	}
	return o.follow(c, op)
}

// follow writes what an operation says until its last line.
func (c *operatorConn) follow(op *operation) error {
	defer close(op.written)
	var broken error // the operator has gone; the operation goes on
	pass := func(line Answer) {
		switch {
		case line.mark != nil:
			close(line.mark)
		case broken == nil:
			broken = c.write(line)
		}
	}
	for {
		select {
		case line := <-op.lines:
			pass(line)
		case end := <-op.endc:
			for len(op.lines) > 0 {
				pass(<-op.lines)
			}
			if broken == nil {
				broken = c.write(end)
			}
			return broken
		}
	}
}

// RunningConfig is the answer to the verb config.
type RunningConfig struct {
	Generation int    `json:"generation"`
	Config     string `json:"config"` // what conf.Decode reads
}

// config answers with the configuration in force.
func (o *operators) config(c *operatorConn, _ Request) error {
	st, ok := o.m.askConfig(statusTime)
	if !ok {
		return c.write(endAnswer(1, "the master does not answer", "see its log"))
	}
	text, err := st.config.Encode()
	if err != nil {
		return c.write(endAnswer(1, err.Error(), ""))
	}
	return c.writeResult(RunningConfig{st.number, string(text)}, endAnswer(0, "", ""))
}

// later answers verbs of later versions.
func (o *operators) later(c *operatorConn, req Request) error {
	return c.write(endAnswer(1, req.Verb+" is not yet in this version: nothing was changed", ""))
}
