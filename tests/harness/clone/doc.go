// Package clone knows the folder the tests live in: where its top is, where
// scratch files go (.cache, ignored by git), how several test processes take
// turns there, and how to get the server's binary.
//
// It promises that nothing is written outside the clone. It does not import
// testing, so that the benchmark can use it too.
package clone
