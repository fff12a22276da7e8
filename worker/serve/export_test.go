package serve

// EchoMemory is what the echoes hold of their budget.
func EchoMemory() int64 { return echoBudget.used.Load() }

// SetEchoMemory sets the budget of the echoes; what it returns takes that back.
func SetEchoMemory(n int64) (undo func()) {
	was := echoBudget.most
	echoBudget.most = n
	return func() { echoBudget.most = was }
}
