package sock

import "testing"

// ReplaceSocket replaces socket(2) for one test.
func ReplaceSocket(t *testing.T, f func(family, kind, proto int) (int, error)) {
	old := newSocket
	newSocket = f
	t.Cleanup(func() { newSocket = old })
}
