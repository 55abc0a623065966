package setup

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestEverySettingStandsInTheConfigurationPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	var walk func(typ reflect.Type, path string)
	walk = func(typ reflect.Type, path string) {
		for typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if typ.Kind() == reflect.Slice && typ.Elem().Kind() == reflect.Struct {
			walk(typ.Elem(), "")
			if path == "exceptions" {
				return
			}
		}
		if typ.Kind() != reflect.Struct {
			return
		}
		for i := range typ.NumField() {
			name := typ.Field(i).Tag.Get("yaml")
			if name == "" {
				continue
			}
			n++
			full := strings.TrimPrefix(path+"."+name, ".")
			text := string(page)
			if !strings.Contains(text, "`"+full+"`") && !strings.Contains(text, "."+name+"`") && !strings.Contains(text, "`"+name+".") && !strings.Contains(text, "`"+name+"[]") {
				t.Errorf("docs/configuration.md says nothing of %s (%s)", full, typ.Name())
			}
			walk(typ.Field(i).Type, full)
		}
	}
	walk(reflect.TypeFor[Config](), "")
	if n < 60 {
		t.Errorf("only %d settings were found: the test looked in the wrong place", n)
	}
}
