package command

import (
	"fmt"
	"slices"
	"strings"
)

// policyList is the flag --policy; given again it adds to what was given before.
type policyList struct {
	text  *string
	given bool
}

// Set takes one more list.
func (l *policyList) Set(text string) error {
	if l.given {
		text = *l.text + "," + text
	}
	*l.text, l.given = text, true
	return nil
}

func (l *policyList) String() string { return *l.text }

// Type is the word in the help.
func (l *policyList) Type() string { return "string" }

// policies splits the list of --policy. A comma separates policies; a part
// that is key=value belongs to the policy before it. The options of each come
// out as name:key=value,key=value, however they were separated.
func policies(list string) ([]string, error) {
	var specs []string
	for _, part := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ';' }) {
		part = strings.TrimSpace(part)
		name, option, hasOptions := strings.Cut(part, ":")
		switch {
		case part == "":
		case strings.Contains(name, "="): // no policy's name has one
			if len(specs) == 0 {
				return nil, fmt.Errorf("--policy %q: %q is an option without a policy before it; write kpa:target=20", list, part)
			}
			specs[len(specs)-1] = joined(specs[len(specs)-1], part)
		case hasOptions:
			specs = append(specs, joined(name, option))
		default:
			specs = append(specs, name)
		}
	}
	if len(specs) == 0 {
		return nil, fmt.Errorf("--policy %q: name one at least, such as ipa,kpa,static,oracle", list)
	}
	for i, s := range specs {
		if slices.Contains(specs[:i], s) {
			return nil, fmt.Errorf("--policy %q: %s is there twice; leave one out, or give it other options", list, s)
		}
	}
	return specs, nil
}

// joined puts options, which colons may separate, behind what there is.
func joined(spec, options string) string {
	for _, option := range strings.Split(options, ":") {
		between := ","
		if !strings.Contains(spec, ":") {
			between = ":"
		}
		if option = strings.TrimSpace(option); option != "" {
			spec += between + option
		}
	}
	return spec
}
