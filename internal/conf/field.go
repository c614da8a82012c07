package conf

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
)

// field is one key of a configuration struct.
type field struct {
	name, help, secret string
	value              reflect.Value
}

// fields lists the keys of a struct in order; the keys of embedded structs stand
// as if they were its own, as package toml has it.
func fields(v reflect.Value) []field {
	var list []field
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		switch {
		case name == "-" || !f.IsExported() && !f.Anonymous:
			continue
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			list = append(list, fields(v.Field(i))...)
			continue
		case name == "":
			name = f.Name
		}
		list = append(list, field{name, f.Tag.Get("help"), f.Tag.Get("secret"), v.Field(i)})
	}
	return list
}

// structOf returns the struct that cfg is or points to.
func structOf(cfg any) (reflect.Value, error) {
	v := reflect.ValueOf(cfg)
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return v, fmt.Errorf("a configuration is a struct, not a %T", cfg)
	}
	return v, nil
}

// isTable reports whether a type is written as a table of its own, and not as text.
func isTable(t reflect.Type) bool {
	text := reflect.TypeFor[encoding.TextMarshaler]()
	return t.Kind() == reflect.Struct && !t.Implements(text) && !reflect.PointerTo(t).Implements(text)
}

// keys lists all dotted keys that a configuration struct has.
func keys(cfg any) ([]string, error) {
	v, err := structOf(cfg)
	if err != nil {
		return nil, err
	}
	var list []string
	var walk func(prefix string, t reflect.Value)
	walk = func(prefix string, v reflect.Value) {
		for _, f := range fields(v) {
			list = append(list, prefix+f.name)
			switch t := f.value.Type(); {
			case isTable(t):
				walk(prefix+f.name+".", f.value)
			case t.Kind() == reflect.Slice && isTable(t.Elem()):
				walk(prefix+f.name+".", reflect.New(t.Elem()).Elem())
			}
		}
	}
	walk("", v)
	return list, nil
}
