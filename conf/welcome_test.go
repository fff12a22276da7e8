package conf

// White box: the page is embedded.

import (
	"encoding/xml"
	"html"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestWelcomePage: well-formed, complete in itself, and without anything that
// the respond handler would take for a parameter.
func TestWelcomePage(t *testing.T) {
	// XML wants the elements closed that HTML does not.
	void := regexp.MustCompile(`(<(?:meta|link)\b[^>]*)>`)
	d := xml.NewDecoder(strings.NewReader(void.ReplaceAllString(welcomePage, "$1/>")))
	d.Entity = xml.HTMLEntity
	var open []string
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("the page is not well-formed: %v", err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			open = append(open, e.Name.Local)
			for _, a := range e.Attr {
				if strings.HasPrefix(a.Value, "//") || strings.HasPrefix(a.Value, "http") {
					t.Errorf("%s=%q is not on this server", a.Name.Local, a.Value)
				}
				if a.Name.Local == "href" && strings.HasPrefix(a.Value, "/") {
					t.Errorf("the link %q is not relative", a.Value)
				}
			}
		case xml.EndElement:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("never closed: %v", open)
	}
	if found := regexp.MustCompile(`\{(\*|[A-Za-z_][A-Za-z0-9_-]*)\}`).FindString(welcomePage); found != "" {
		t.Errorf("%s would be a parameter", found)
	}
	for _, want := range []string{"<!doctype html>", `lang="en"`, "<title>", "prefers-color-scheme: dark", "viewport"} {
		if !strings.Contains(welcomePage, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if strings.Contains(welcomePage, "<script") || strings.Contains(welcomePage, "url(") {
		t.Error("the page has scripts or loads something")
	}
	if len(welcomePage) > 8<<10 {
		t.Errorf("the page has %d bytes; it is meant to be small", len(welcomePage))
	}
}

// TestWelcomeExample: the ten lines on the page are ten, and right.
func TestWelcomeExample(t *testing.T) {
	_, after, _ := strings.Cut(welcomePage, "<pre tabindex=\"0\"><code>")
	code, _, _ := strings.Cut(after, "</code></pre>")
	text := html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(code, ""))
	if lines := strings.Count(text, "\n") + 1; lines != 10 {
		t.Errorf("the example has %d lines:\n%s", lines, text)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "public"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "srvctl.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, problems := Load(Options{File: "srvctl.yaml", Dir: dir}); len(problems) > 0 {
		t.Errorf("the example has problems:\n%v\n%s", problems, text)
	}
}
