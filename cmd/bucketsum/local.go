package main

var localCommand = command{name: "local"}
