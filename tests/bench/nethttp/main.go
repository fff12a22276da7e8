package main

import (
	"io"
	"log"
	"net/http"
	"os"
)

// nethttp ADDRESS FOLDER
func main() {
	files := http.FileServer(http.Dir(os.Args[2]))
	mux := http.NewServeMux()
	mux.HandleFunc("/hello", func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h["Server"] = []string{"nethttp"}
		h["Content-Type"] = []string{"text/plain"}
		h["Content-Length"] = []string{"14"}
		io.WriteString(w, "Hello, World!\n")
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Server"] = []string{"nethttp"}
		files.ServeHTTP(w, r)
	})
	log.Fatal(http.ListenAndServe(os.Args[1], mux))
}
