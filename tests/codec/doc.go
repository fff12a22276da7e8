// Package codec tests a format made of srvctl/proto/wire: what holds for the
// frames of all of them. The tests beside each format use it.
//
// With -update the golden file of a format is written anew.
package codec
