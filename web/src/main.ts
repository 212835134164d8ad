import { mount } from 'svelte';
import 'uplot/dist/uPlot.min.css';
import './style/tokens.css';
import './style/base.css';
import './style/prose.css';
import App from './App.svelte';

mount(App, { target: document.getElementById('app')! });
