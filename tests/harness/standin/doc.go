// Command standin plays the server in the harness's own tests: "start" serves
// a page on every address of its configuration and keeps one child process,
// "healthcheck" says yes. It knows nothing of the real server.
//
// STANDIN=leak makes it leave a child behind, STANDIN=refuse makes its start
// fail.
package main
