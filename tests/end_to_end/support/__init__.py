# What the end-to-end tests share: running the program, a generated scene, outputs as bytes, a
# broker with topics. Python only, no test in it.
