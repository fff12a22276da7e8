// Package arch holds the tests that keep the house in order: who may import
// whom, which functions may be called where, what lies at the top level, how
// long a file may get. It has no code of its own.
//
// The rules are texts: policy_test.go for imports and calls, house_test.go for
// the rest. A test that fails here is not repaired by changing the rule. Either
// the code goes where it belongs, or the architecture is changed first, on
// purpose and by those who own it.
//
// Rules that could never fail are worthless: rules_test.go breaks each kind of
// rule once and wants the complaint.
package arch
