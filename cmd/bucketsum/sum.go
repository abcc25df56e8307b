package main
var sumCommand = command{name: "sum"}
