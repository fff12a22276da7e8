package route

import (
	"fmt"
	"strings"
)

// maxHost is the length of the longest host name looked for: DNS has no longer
// ones (RFC 1035 section 2.3.4).
const maxHost = 255

// hosts are the sites of one listener by host.
type hosts struct {
	exact    map[string]*site
	beneath  map[string]*site // "*.example.com" is ".example.com"
	fallback *site            // the default site
}

func (h *hosts) add(names []string, s *site) error {
	if len(names) == 0 {
		if h.fallback != nil {
			return fmt.Errorf("site %d is the default site already", h.fallback.number)
		}
		h.fallback = s
	}
	if h.exact == nil {
		h.exact, h.beneath = map[string]*site{}, map[string]*site{}
	}
	for _, name := range names {
		table := h.exact
		key := strings.TrimSuffix(strings.ToLower(name), ".")
		if strings.HasPrefix(key, "*.") {
			table, key = h.beneath, key[1:]
		}
		if key == "" || len(key) > maxHost || strings.Contains(key, "*") {
			return fmt.Errorf("host %q: not a name, and not *. and a name", name)
		}
		if other, ok := table[key]; ok && other != s {
			return fmt.Errorf("host %q belongs to site %d already", name, other.number)
		}
		table[key] = s
	}
	return nil
}

// find returns the site of an authority: that with the name, that with the
// longest "*." above it, or the default site; nil when there is none.
func (h *hosts) find(authority []byte) *site {
	if len(h.exact) == 0 && len(h.beneath) == 0 {
		return h.fallback
	}
	var buf [maxHost]byte
	name := hostName(&buf, authority)
	if s, ok := h.exact[string(name)]; ok {
		return s
	}
	if len(h.beneath) > 0 {
		for i, c := range name {
			// At least one byte stands for the "*".
			if c != '.' || i == 0 {
				continue
			}
			if s, ok := h.beneath[string(name[i:])]; ok {
				return s
			}
		}
	}
	return h.fallback
}

// hostName takes port and trailing dot off an authority and lowers its case,
// in buf. A name that is too long is no name.
func hostName(buf *[maxHost]byte, authority []byte) []byte {
	name := authority
	for i := len(name) - 1; i >= 0 && name[i] != ']'; i-- {
		if name[i] == ':' {
			name = name[:i]
			break
		}
	}
	if n := len(name); n > 0 && name[n-1] == '.' {
		name = name[:n-1]
	}
	if len(name) > maxHost {
		return nil
	}
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		buf[i] = c
	}
	return buf[:len(name)]
}
