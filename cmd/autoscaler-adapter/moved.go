package main

import "fmt"

// moved answers the commands that this program had before they became those of
// the program ipa; empty for everything else.
func moved(args []string) string {
	if len(args) < 2 || args[1] != "simulate" && args[1] != "playground" {
		return ""
	}
	return fmt.Sprintf("autoscaler-adapter: %s moved to another program: type ipa %[1]s, with the same flags (make build makes ipa)", args[1])
}
