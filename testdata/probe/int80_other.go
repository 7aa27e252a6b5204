//go:build !amd64

package main

import "errors"

func int80() error { return errors.New("only on amd64") }
