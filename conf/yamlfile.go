package conf

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"gopkg.in/yaml.v3"
)

// parseYAML gives the root of the one document in data, or nil when there is
// nothing in it, or the problem. Nothing but the syntax is looked at.
func parseYAML(data []byte, name string) (*yaml.Node, *Problem) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	err := decodeNode(dec, &doc)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err == nil {
		// Reading on also finds what is wrong behind the document.
		if err = decodeNode(dec, &second); errors.Is(err, io.EOF) {
			return doc.Content[0], nil
		}
	}
	if err == nil {
		return nil, &Problem{Pos: Pos{name, second.Line, second.Column},
			Message: "a second YAML document begins here", Allowed: "one is allowed; split the file and use include"}
	}
	p := locate(data, name, err)
	return nil, &p
}

// decodeNode reads one document. yaml.v3 panics on some inputs that it should
// refuse; a configuration file must not be able to take the master down.
func decodeNode(dec *yaml.Decoder, n *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the YAML reader gave up: %v", r)
		}
	}()
	err = dec.Decode(n)
	if err == nil && (n.Kind != yaml.DocumentNode || len(n.Content) != 1) {
		return io.EOF
	}
	return err
}
