package trace

import "reflect"

// ByteOrderMark is what some editors and spreadsheets write at the beginning of a file in UTF-8.
const ByteOrderMark = "\xef\xbb\xbf"

// KindInWords names what a field of JSON takes, for an error message.
func KindInWords(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Float64:
		return "number"
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "boolean"
	case reflect.Slice:
		return "list of " + KindInWords(t.Elem()) + "s"
	case reflect.Map, reflect.Struct:
		return "object"
	default:
		return "whole number"
	}
}
