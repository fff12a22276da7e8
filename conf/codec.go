package conf

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// codecVersion changes whenever a decoded Config would mean something else.
// Master and workers are one binary, so a mismatch is a mistake somewhere.
const codecVersion = 1

type envelope struct {
	Version int             `json:"version"`
	Config  json.RawMessage `json:"config"`
}

// Encode gives what the master hands to a worker. Where the values came from
// is not in it.
func (c *Config) Encode() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"version":%d,"config":`, codecVersion)
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(c); err != nil {
		return nil, fmt.Errorf("encode configuration: %w", err)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Decode reads what Encode gave. It refuses other versions and unknown fields,
// and checks nothing else: the master did.
func Decode(data []byte) (*Config, error) {
	var env envelope
	if err := json.Unmarshal(data, &env); err != nil {
		return nil, fmt.Errorf("decode configuration: %w", err)
	}
	if env.Version != codecVersion {
		return nil, fmt.Errorf("decode configuration: version %d, this binary wants %d", env.Version, codecVersion)
	}
	d := json.NewDecoder(bytes.NewReader(env.Config))
	d.DisallowUnknownFields()
	c := new(Config)
	if err := d.Decode(c); err != nil {
		return nil, fmt.Errorf("decode configuration: %w", err)
	}
	return c, nil
}
