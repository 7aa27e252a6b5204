//go:build !amd64

package main

var oldSysNumbers map[string]uintptr

var oldSetID map[string]func(name string) error

func turnSocket(int) bool { return false }
