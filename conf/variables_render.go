package conf

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// RenderVariables writes the table of environment variables for people.
func RenderVariables(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "VARIABLE\tKEY\tDEFAULT\tMEANING")
	for _, v := range Variables() {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", v.Name, v.Key, v.Default, v.Doc)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, `
Precedence: --set, environment, file, default. <NAME> is the name of a listener in capitals.
SRVCTL_CONFIG names the file, SRVCTL_SOCKET the operators' socket; SRVCTL_SERVICE_* and SRVCTL_PORT*,
which container platforms set, are ignored.`)
	return err
}

// RenderVariablesJSON writes the same for programs.
func RenderVariablesJSON(w io.Writer) error { return writeJSON(w, Variables()) }
