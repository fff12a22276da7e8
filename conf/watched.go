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

// Sums are those of the files that were read, by path.
func Sums(all []Watched) map[string][sha256.Size]byte {
	sums := make(map[string][sha256.Size]byte, len(all))
	for _, w := range all {
		if !w.Pattern {
			sums[w.Path] = w.Sum
		}
	}
	return sums
}

// SumsNow are those of the same files as they are now, and of those that a
// pattern matches now. They equal Sums as long as nothing that matters changed.
func SumsNow(all []Watched) map[string][sha256.Size]byte {
	sys := hostSystem()
	sums := make(map[string][sha256.Size]byte, len(all))
	look := func(path string) {
		if _, known := sums[path]; known || len(sums) > 2*maxFiles {
			return
		}
		var sum [sha256.Size]byte
		if data, err := sys.read(path, maxFileBytes); err == nil {
			sum = sha256.Sum256(data)
		}
		sums[path] = sum
	}
	for _, w := range all {
		if !w.Pattern {
			look(w.Path)
			continue
		}
		found, err := sys.glob(w.Path)
		if err != nil {
			continue // Load took the pattern
		}
		for _, path := range found {
			look(path)
		}
	}
	return sums
}
