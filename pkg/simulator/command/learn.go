package command

import (
	"context"
	"errors"
)

func learn(ctx context.Context, o options, out *output) error { return failure{errors.New("fit")} }
