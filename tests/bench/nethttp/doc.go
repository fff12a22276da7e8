// Command nethttp is Go's own server with the work of the benchmark: a fixed
// text and a folder of files, with the same headers as the others.
package main
