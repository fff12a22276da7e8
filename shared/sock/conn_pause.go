package sock

import "time"

// Pause ends a Recv that waits, and every later one, with an error that is
// os.ErrDeadlineExceeded. A frame is either returned by a Recv or still there
// for the next reader of the descriptor, in whichever process image.
func (c *Conn) Pause() error {
	return c.closedOrNil(c.file.SetReadDeadline(time.Unix(1, 0)))
}

func (c *Conn) closedOrNil(err error) error {
	if err == nil {
		return nil
	}
	return c.closedOr(err)
}
