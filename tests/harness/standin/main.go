package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"syscall"
)

var address = regexp.MustCompile(`127\.0\.0\.1:\d+`)

func main() {
	switch os.Args[1] {
	case "start":
		start(os.Args[3])
	case "child":
		parent := make([]byte, 1)
		os.Stdin.Read(parent) // until the parent closes the pipe
	case "healthcheck":
	default:
		fmt.Fprintln(os.Stderr, "no such verb")
		os.Exit(2)
	}
}

func start(config string) {
	mode := os.Getenv("STANDIN")
	if mode == "refuse" {
		fmt.Fprintln(os.Stderr, "refused")
		os.Exit(1)
	}
	text, err := os.ReadFile(config)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	child := exec.Command("/proc/self/exe", "child")
	if mode == "leak" {
		child = exec.Command("sleep", "60")
	}
	in, err := child.StdinPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "standin", r.URL.Path) })
	var listeners []net.Listener // all of them, before any answers that it is ready
	for _, addr := range address.FindAllString(string(text), -1) {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		listeners = append(listeners, l)
	}
	for _, l := range listeners {
		go http.Serve(l, page)
	}
	<-signals
	fmt.Fprintln(os.Stderr, "stopping")
	if mode != "leak" {
		in.Close()
		child.Wait()
	}
}
