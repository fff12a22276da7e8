//go:build faults

package master

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// faultMaster makes an upgrade fail on purpose: the file that worker/fault_on.go
// reads may also have lines with
//
//	at=check|adopt  do=exit|panic|hang|fail
//
// check is the rehearsal of this program, adopt is right before the point of
// no return when this program takes over.
func faultMaster(at string) error {
	raw, err := os.ReadFile(os.Getenv("FAULTS_FILE"))
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(raw)) {
		words := strings.Fields(line)
		for _, word := range words {
			if word == "at="+at {
				return doMasterFault(words)
			}
		}
	}
	return nil
}

func doMasterFault(words []string) error {
	for _, word := range words {
		switch word {
		case "do=exit":
			fmt.Fprintln(os.Stderr, "fault: exit")
			os.Exit(7)
		case "do=panic":
			panic("fault: panic")
		case "do=hang":
			<-time.After(time.Hour)
		case "do=fail":
			return errors.New("fault: fail")
		}
	}
	return nil
}
