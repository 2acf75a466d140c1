"""Stress tests: is a suppressed concept missing too when prompts ask for it (appendix G)?"""
