"""Load on a Gy server: messages like those of a real packet core, made and read as cheaply as can be."""
