package main

import "testing"

func TestClosest(t *testing.T) {
	verbs := []string{"start", "stop", "status", "check", "config", "healthcheck", "version"}
	for word, want := range map[string]string{
		"strat":    "start", // two letters swapped
		"stat":     "status",
		"staus":    "status",
		"chekc":    "check",
		"helth":    "",
		"conf":     "config",
		"verison":  "version",
		"x":        "",
		"nonsense": "",
	} {
		if got := closest(word, verbs); got != want {
			t.Errorf("closest(%q) = %q, want %q", word, got, want)
		}
	}
}
