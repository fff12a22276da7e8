package conf

import (
	"path/filepath"
	"slices"
	"strings"
)

// readFile reads one file and what it includes, and gives everything merged.
// name is as messages show it. The chain of files that led here is in via, for
// cycles. What cannot be read is reported, and nil.
func (l *loader) readFile(name string, via []*source, depth int) *item {
	abs := l.inDir(name)
	from := &source{name: name, path: abs, real: l.sys.real(abs), dir: filepath.Dir(abs)}
	l.place(name)
	l.files = append(l.files, from)

	fail := func(p Problem) *item {
		l.broken = true
		l.add(p)
		return nil
	}
	data, err := l.sys.read(abs, maxFileBytes)
	l.watch(abs, data, err)
	if err != nil {
		return fail(Problem{Pos: Pos{File: name}, Message: "cannot be read: " + reason(err),
			Allowed: "a configuration is a YAML file of at most " + formatSize(maxFileBytes)})
	}
	if l.bytes += len(data); l.bytes > maxAllFileBytes {
		return fail(Problem{Pos: Pos{File: name},
			Message: "the files of this configuration have more than " + formatSize(maxAllFileBytes)})
	}
	node, wrong := parseYAML(data, name)
	if wrong != nil {
		return fail(*wrong)
	}
	root := &item{key: schema, from: from, line: 1, col: 1}
	if node == nil {
		return root
	}
	d := &decoder{loader: l, from: from}
	d.decode(root, node)
	if inc := root.get("include"); inc != nil {
		l.include(root, inc, append(via[:len(via):len(via)], from), depth+1)
	}
	return root
}

// include reads the files of one include list and merges them into root.
func (l *loader) include(root, inc *item, via []*source, depth int) {
	if depth > maxIncludeDepth {
		l.refuse(inc, "files that include files, "+itoa(depth)+" deep", "at most "+itoa(maxIncludeDepth)+" are followed", "")
		return
	}
	for _, pattern := range inc.kids {
		if pattern.bad {
			continue
		}
		for _, path := range l.matches(pattern) {
			if sub := l.includeOne(pattern, path, via, depth); sub != nil {
				l.mergeInto(root, sub)
			}
		}
	}
}

// matches gives the files a pattern stands for, as absolute paths in the order
// of their names.
func (l *loader) matches(pattern *item) []string {
	full := pattern.from.absolute(pattern.text)
	if pattern.text == "" {
		l.refuse(pattern, "the pattern is empty", "", "")
		return nil
	}
	if !strings.ContainsAny(pattern.text, `*?[\`) {
		return []string{full}
	}
	found, err := l.sys.glob(full)
	// As in a shell: editors and deployers keep their half-made files so.
	if !strings.HasPrefix(filepath.Base(full), ".") {
		found = slices.DeleteFunc(found, func(path string) bool { return strings.HasPrefix(filepath.Base(path), ".") })
	}
	if err == nil {
		l.watched = append(l.watched, Watched{Path: full, Pattern: true})
	}
	switch {
	case err != nil:
		l.refuse(pattern, quote(pattern.text)+" is not a pattern: "+err.Error(), "wanted: a path with *, ? or [a-z]", "")
	case len(found) == 0:
		l.add(Problem{Pos: pattern.pos(), Key: pattern.path(), Message: "no file matches " + full, Warning: true})
	}
	return found
}

func (l *loader) includeOne(pattern *item, path string, via []*source, depth int) *item {
	shown := path
	if rel, err := filepath.Rel(pattern.from.dir, path); err == nil && !filepath.IsAbs(pattern.text) {
		shown = filepath.Join(filepath.Dir(pattern.from.name), rel)
	}
	real := l.sys.real(path)
	refuse := func(why, allowed string) *item {
		l.broken = true
		l.refuse(pattern, why, allowed, "")
		return nil
	}
	for _, up := range via {
		if up.real == real {
			return refuse(shown+" includes itself"+chain(via, up), "take it out of the list, or keep included files in a folder of their own")
		}
	}
	for _, f := range l.files {
		if f.real == real {
			return refuse(shown+" is included twice", "once is allowed")
		}
	}
	if len(l.files) >= maxFiles {
		return refuse("more than "+itoa(maxFiles)+" files", "")
	}
	if _, err := l.sys.stat(path); err != nil {
		l.watch(path, nil, err)
		return refuse(shown+" cannot be read: "+reason(err), "wanted: a file, or a pattern such as sites/*.yaml")
	}
	return l.readFile(shown, via, depth)
}

// chain names the files between a file and itself.
func chain(via []*source, from *source) string {
	var between []string
	for i := len(via) - 1; i >= 0 && via[i] != from; i-- {
		between = append([]string{via[i].name}, between...)
	}
	if len(between) == 0 {
		return ""
	}
	return ", by way of " + strings.Join(between, ", ")
}
