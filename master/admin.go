package master

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"srvctl/shared/sock"
)

const (
	// The admin pages are small and their readers are near: whoever takes
	// longer is not one of them.
	adminHeaderTime  = 5 * time.Second
	adminTime        = 30 * time.Second
	adminIdle        = 60 * time.Second
	adminHeaderBytes = 16 << 10
	maxAdmin         = 64 // connections
)

// admin is the HTTP server of the operators' pages.
type admin struct {
	addr   string // as bound, "" when it is off
	server *http.Server
	set    *sock.Set
}

// serveAdmin serves the pages until close; "" is no address and no pages.
func (m *master) serveAdmin(address string) (*admin, error) {
	if address == "" {
		return &admin{}, nil
	}
	set, l, err := listenAdmin(address)
	if err != nil {
		return nil, fmt.Errorf("admin.address: %w", err)
	}
	a := &admin{addr: set.Bound, set: set}
	m.servePages(a, l)
	return a, nil
}

// openAdmin serves the pages at a socket that is there.
func (m *master) openAdmin(a *admin) error {
	l, err := listenOn(a.set)
	if err != nil {
		return err
	}
	m.servePages(a, l)
	return nil
}

func (m *master) servePages(a *admin, l net.Listener) {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.registry.Handler())
	mux.HandleFunc("GET /healthz", m.pageHealth)
	mux.HandleFunc("GET /readyz", m.pageReady)
	mux.HandleFunc("GET /status", m.pageStatus)
	a.server = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: adminHeaderTime,
		ReadTimeout:       adminTime,
		WriteTimeout:      adminTime,
		IdleTimeout:       adminIdle,
		MaxHeaderBytes:    adminHeaderBytes,
		ErrorLog:          log.New(io.Discard, "", 0), // what clients do wrong is not the operator's concern
	}
	go a.server.Serve(&boundedListener{Listener: l, places: make(chan struct{}, maxAdmin)}) // ends with close
}

// listenAdmin binds as every listener does, for the sake of its explanations.
func listenAdmin(address string) (*sock.Set, net.Listener, error) {
	set, err := sock.Bind(sock.Spec{Address: address}, 1)
	if err != nil {
		return nil, nil, err
	}
	l, err := listenOn(set)
	if err != nil {
		set.Close()
		return nil, nil, err
	}
	return set, l, nil
}

// listenOn returns a listener with a descriptor of its own.
func listenOn(set *sock.Set) (net.Listener, error) {
	if err := set.Listen(0); err != nil {
		return nil, err
	}
	copies, err := duplicate(set.Files[:1])
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(copies[0]), "admin")
	defer f.Close() // net makes one more copy
	return net.FileListener(f)
}

// address returns where the pages are, "" when they are off.
func (a *admin) address() string {
	if a == nil {
		return ""
	}
	return a.addr
}

// close ends the server.
func (a *admin) close() {
	a.pause()
	if a.set != nil {
		a.set.Close()
	}
}

// pause ends the pages, which get a moment, and leaves the socket open.
func (a *admin) pause() {
	if a.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if a.server.Shutdown(ctx) != nil {
		a.server.Close()
	}
}

// pageHealth says whether the master lives: whether its loop answers.
func (m *master) pageHealth(w http.ResponseWriter, r *http.Request) {
	if _, ok := m.ask(statusTime); !ok {
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "the master does not answer"})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// pageReady says whether requests are answered.
func (m *master) pageReady(w http.ResponseWriter, r *http.Request) {
	ready := m.public.Load()
	if ready == nil {
		ready = &readiness{State: phaseStarting.String(), Why: "the server is starting"}
	}
	code := http.StatusOK
	if !ready.Ready {
		code = http.StatusServiceUnavailable
	}
	writeJSON(w, code, ready)
}

func (m *master) pageStatus(w http.ResponseWriter, r *http.Request) {
	st, ok := m.askStatus(statusTime)
	if !ok {
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "the master does not answer"})
		return
	}
	writeJSON(w, http.StatusOK, st)
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	w.Write(append(raw, '\n'))
}

// boundedListener accepts only as many connections as it has places for; more
// wait in the kernel's queue.
type boundedListener struct {
	net.Listener
	places chan struct{}
}

func (l *boundedListener) Accept() (net.Conn, error) {
	l.places <- struct{}{}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &boundedConn{Conn: c, l: l}, nil
}

type boundedConn struct {
	net.Conn
	l    *boundedListener
	once sync.Once
}

func (c *boundedConn) Close() error {
	c.once.Do(func() { <-c.l.places })
	return c.Conn.Close()
}
