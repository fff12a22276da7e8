package conf

import (
	_ "embed"
	"path/filepath"

	"gopkg.in/yaml.v3"
)

// publicDir is served when no site was written and the folder is there.
const publicDir = "public"

//go:embed welcome.html
var welcomePage string

const (
	builtinListeners = `{http: {address: ":8080"}}`
	builtinHealth    = `{match: /healthz, health: {kind: live}}`
	builtinPublic    = `{match: "/*", files: {root: ` + publicDir + `}}`
	builtinWelcome   = `{match: /, respond: {headers: {Content-Type: text/html; charset=utf-8, Cache-Control: no-store}}}`
)

// addBuiltin puts in the listeners and sites that are used when nobody wrote
// any. "sites: []" is not nobody: it asks for none.
func (l *loader) addBuiltin(root *item, file string) {
	if !l.wrote(root, "listeners") {
		root.adopt(l.builtin(root, "listeners", builtinListeners, nil))
	}
	if l.wrote(root, "sites") {
		return
	}
	dir := l.dir
	if file != "" {
		dir = filepath.Dir(file)
	}
	folder := &source{dir: dir}
	route := builtinWelcome
	public := l.sys.dir(folder.absolute(publicDir)) == nil
	if public {
		route = builtinPublic
	}
	sites := l.builtin(root, "sites", "[{routes: ["+builtinHealth+", "+route+"]}]", folder)
	if !public {
		respond := sites.kids[0].get("routes").kids[1].get("respond")
		respond.adopt(&item{key: respond.key.child("body"), name: "body", text: welcomePage})
	}
	root.adopt(sites)
}

// wrote reports whether a group was written in a file, also if it could not be
// read: then a built-in one in its place would only cause further messages.
func (l *loader) wrote(root *item, name string) bool {
	return root.get(name) != nil
}

// builtin reads one of the texts above; its items count as defaults.
func (l *loader) builtin(root *item, name, text string, from *source) *item {
	node, wrong := parseYAML([]byte(text), name)
	if wrong != nil {
		panic("conf: built-in " + name + ": " + wrong.Error())
	}
	if from == nil {
		from = &source{}
	}
	// Also when the files used up all values there may be.
	used := l.values
	l.values = 0
	d := &decoder{loader: l, from: from}
	it := &item{key: schema.child(name), name: name, parent: root}
	d.decode(it, node)
	it.disown()
	l.values = used
	return it
}

// disown makes an item and everything below it a default.
func (it *item) disown() {
	it.from, it.line, it.col, it.keyLine, it.keyCol = nil, 0, 0, 0, 0
	for _, kid := range it.kids {
		kid.disown()
	}
}

// plainNode is the node of a value that was not written in YAML.
func plainNode(value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
}
