package master

import (
	"srvctl/conf"
	"srvctl/shared/limit"
)

// maxWorkers is how many workers a generation may have: those of the one
// before need a number each too.
const maxWorkers = limit.MaxProcesses / 2

// scaling is a number of workers that an operator asked for by command. It
// holds until the file asks for another than it did then. The zero value is
// none.
type scaling struct {
	workers int // 0: as configured
	file    int // what the file asked for when it was said
}

// apply returns the configuration with the number of workers that holds for
// it, and the scaling that is in force then.
func (s scaling) apply(c *conf.Config, want wanted) (*conf.Config, scaling) {
	file := c.Workers
	if !want.files && s.workers > 0 {
		file = s.file // c is the one in force, with the number of the command
	}
	switch {
	case want.workers > 0:
		s = scaling{want.workers, file}
	case s.workers > 0 && s.file != file:
		s = scaling{}
	}
	if s.workers == 0 || s.workers == c.Workers {
		return c, s
	}
	scaled := *c
	scaled.Workers = s.workers
	return &scaled, s
}
