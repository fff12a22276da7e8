package conf_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"srvctl/conf"
)

func TestVariables(t *testing.T) {
	var text, js bytes.Buffer
	if err := conf.RenderVariables(&text); err != nil {
		t.Fatal(err)
	}
	if err := conf.RenderVariablesJSON(&js); err != nil {
		t.Fatal(err)
	}
	var all []conf.Variable
	if err := json.Unmarshal(js.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		if !strings.Contains(text.String(), v.Name+" ") || v.Key == "" || v.Type == "" || v.Doc == "" {
			t.Errorf("variable %+v is incomplete or not in the table", v)
		}
		if strings.Contains(v.Name, "SANDBOX") || strings.Contains(v.Name, "PER_IP") {
			t.Errorf("%s is not in this version", v.Name)
		}
	}
}
