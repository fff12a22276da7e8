// Package control is the wire format between the master and its workers.
package control
