package conf

import (
	"io"
	"strings"
)

// JSONSchema writes a JSON Schema (draft 2020-12) of the configuration file
// for editors. It knows types, words and bounds; what values mean together is
// for `srvctl check`. Keys of later versions are in it, marked as deprecated,
// which is how editors show what should not be written.
func JSONSchema(w io.Writer) error {
	s := schema.jsonSchema()
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "srvctl configuration"
	return writeJSON(w, s)
}

type object = map[string]any

func (k *key) jsonSchema() object {
	s := k.jsonType()
	if k.doc != "" {
		s["description"] = k.doc
	}
	switch {
	case k.stage == later:
		s["deprecated"] = true
		s["description"] = "not yet in this version: " + k.doc
	case k.stage == inert:
		s["description"] = "not yet in this version, only the default works: " + k.doc
	}
	return s
}

func (k *key) jsonType() object {
	switch k.kind {
	case section:
		return k.jsonSection()
	case named:
		s := object{"type": []string{"object", "null"}, "additionalProperties": k.elem.jsonSchema()}
		if k.max > 0 {
			s["maxProperties"] = k.max
		}
		return s
	case list:
		s := object{"type": []string{"array", "null"}, "items": k.elem.jsonSchema()}
		if k.max > 0 {
			s["maxItems"] = k.max
		}
		if k.preset != nil && k.elem.kind.scalar() {
			s["default"] = append([]string{}, k.defList...)
		}
		return s
	}
	s := k.jsonScalar()
	if k.preset != nil && k.parent.kind == section {
		s["default"] = k.jsonDefault()
	}
	return s
}

func (k *key) jsonSection() object {
	properties := object{}
	var must []string
	for _, c := range k.keys {
		properties[c.name] = c.jsonSchema()
		if c.is(required) {
			must = append(must, c.name)
		}
	}
	s := object{"type": []string{"object", "null"}, "properties": properties}
	// Groups without keys are those of which the table knows only the name.
	if len(k.keys) > 0 {
		s["additionalProperties"] = false
	}
	if must != nil {
		s["required"] = must
		s["type"] = "object"
	}
	return s
}

// expansion lets ${VAR} stand where a number does.
const expansion = `\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}`

func (k *key) jsonScalar() object {
	variable := object{"type": "string", "pattern": expansion}
	switch k.kind {
	case flag:
		return object{"anyOf": []object{{"type": "boolean"}, variable}}
	case number:
		n := object{"type": "integer"}
		if k.bounded() {
			n["minimum"] = k.min
			if k.max != 0 {
				n["maximum"] = k.max
			}
		}
		any := []object{n, variable}
		if len(k.words) > 0 {
			any = append(any, object{"enum": k.words})
		}
		return object{"anyOf": any}
	case duration:
		return pattern(`^([0-9]+d|([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+|0)$`)
	case size:
		return object{"anyOf": []object{{"type": "integer", "minimum": 0}, pattern(`^[0-9]+(\.[0-9]+)? ?([kKmMgGtTpP]?([iI]?[bB])?)$`)}}
	case rate:
		return pattern(`^[0-9]+ ?/ ?[smh]$`)
	case octal:
		return object{"anyOf": []object{{"type": "integer"}, pattern(`^(0o?)?[0-7]{1,3}$`)}}
	case word:
		any := []object{{"enum": k.words}, variable}
		if k.words[0] >= "0" && k.words[0] <= "9" && !strings.Contains(k.words[0], ".") {
			any = append(any, object{"type": "integer"})
		}
		return object{"anyOf": any}
	case text:
		return object{"type": []string{"string", "number", "boolean"}}
	}
	return object{"type": "string"}
}

func pattern(p string) object {
	return object{"type": "string", "pattern": p + "|" + expansion}
}

func (k *key) jsonDefault() any {
	switch {
	case k.kind == flag:
		return k.preset.num != 0
	case k.kind == number && !strings.ContainsAny(k.def, "abcdefghijklmnopqrstuvwxyz"):
		return k.preset.num
	}
	return k.def
}
