package wire

import "fmt"

// VersionError is returned by Decode when the frame is of another version.
type VersionError struct {
	Format          string
	Version, Speaks uint8
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s frame of version %d, this binary speaks version %d", e.Format, e.Version, e.Speaks)
}

// TypeError is returned by Decode when the frame is of a type that this
// version does not have.
type TypeError struct {
	Format string
	Type   uint8
}

func (e *TypeError) Error() string {
	return fmt.Sprintf("%s frame of unknown type %d", e.Format, e.Type)
}

// SizeError is returned when a frame is shorter than its header or longer
// than MaxFrame.
type SizeError struct {
	Frame string // its type; from Decode the format
	Size  int
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("%s frame of %d bytes, want %d to %d", e.Frame, e.Size, headerLen, MaxFrame)
}

// FieldError is returned when a field of a frame cannot be written or read.
type FieldError struct {
	Frame   string // its type
	Field   string
	Problem string
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("%s frame: %s %s", e.Frame, e.Field, e.Problem)
}
