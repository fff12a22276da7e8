package conf

import "crypto/sha256"

// Watched is something that a Load depended on. When any of them is different
// later, the same Load may give another result.
type Watched struct {
	Path string // absolute: a file, or a pattern as filepath.Glob takes it
	// Pattern: the files that match are others of the Watched, so only one
	// that comes makes a difference.
	Pattern bool
	// Sum is of the file's content as it was read. It is zero for a pattern,
	// and for a file that was not there or could not be read.
	Sum [sha256.Size]byte
}

// watch notes a file with what was read of it.
func (l *loader) watch(path string, content []byte, err error) {
	w := Watched{Path: path}
	if err == nil {
		w.Sum = sha256.Sum256(content)
	}
	l.watched = append(l.watched, w)
}
